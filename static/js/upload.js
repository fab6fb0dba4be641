// Resumable uploads (tus 1.0.0): two files at a time in pieces of 8 MiB, taken up again after a break or a reload.
(() => {
  "use strict";
  const form = document.querySelector("form[data-tus-url]");
  if (!form) return;
  const PIECE = 8 * 1024 * 1024;
  const AT_ONCE = 2;
  const MOST_RETRIES = 12;
  const RETRY_MAX_MS = 30000;
  const PREFIX = "slmhub-upload:";
  const TRANSIENT = new Set([0, 408, 409, 423, 425, 429, 500, 502, 503, 504]);

  const input = form.querySelector("input[type=file]");
  const zone = form.querySelector("[data-dropzone]");
  const list = form.querySelector("[data-upload-list]");
  const template = form.querySelector("template");
  const spoken = form.querySelector("[data-upload-status]");
  const review = form.querySelector("[data-upload-review]");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const limit = Number(form.dataset.limit);
  const items = [];
  let delivery = "";

  class Refusal extends Error {
    constructor(message, status) {
      super(message);
      this.status = status;
    }
    get isTransient() {
      return TRANSIENT.has(this.status);
    }
  }

  // ---- what is remembered over a reload ----------------------------------------
  const keyOf = (file) =>
    PREFIX + [form.dataset.tusUrl, file.name, file.size, file.lastModified].join("|");
  function remembered(file) {
    try {
      return JSON.parse(localStorage.getItem(keyOf(file))) || {};
    } catch {
      return {};
    }
  }
  function remember(item) {
    try {
      localStorage.setItem(keyOf(item.file), JSON.stringify({ url: item.url, delivery }));
    } catch {
      /* full */
    }
  }
  function forget(item) {
    try {
      localStorage.removeItem(keyOf(item.file));
    } catch {
      /* none */
    }
  }

  // ---- the protocol -------------------------------------------------------------
  function request(
    method,
    url,
    { headers = {}, body = null, onProgress = null, item = null } = {},
  ) {
    return new Promise((resolve, reject) => {
      const xhr = new XMLHttpRequest();
      xhr.open(method, url);
      for (const [name, value] of Object.entries({
        "Tus-Resumable": "1.0.0",
        "X-CSRFToken": token,
        ...headers,
      })) {
        xhr.setRequestHeader(name, value);
      }
      if (onProgress) xhr.upload.onprogress = (event) => onProgress(event.loaded);
      xhr.onload = () => {
        if (xhr.status < 300 && xhr.getResponseHeader("Tus-Resumable")) resolve(xhr);
        else reject(new Refusal(reasonOf(xhr), xhr.status < 300 ? 401 : xhr.status));
      };
      xhr.onerror = xhr.ontimeout = () => reject(new Refusal("The server cannot be reached.", 0));
      xhr.onabort = () => reject(new Refusal("Paused.", -1));
      if (item) item.xhr = xhr;
      xhr.send(body);
    });
  }

  function reasonOf(xhr) {
    if (xhr.status < 300) return "You are signed out. Sign in in another tab, then go on here.";
    try {
      const { message, hint } = JSON.parse(xhr.responseText).error;
      return [message, hint].filter(Boolean).join(" ");
    } catch {
      return xhr.status === 403
        ? "You may not upload here. Reload the page."
        : `The server refused it (${xhr.status}).`;
    }
  }

  const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

  async function create(item) {
    const metadata = `filename ${base64(item.file.name)},delivery ${base64(delivery)}`;
    const headers = { "Upload-Length": String(item.file.size), "Upload-Metadata": metadata };
    const answer = await request("POST", form.dataset.tusUrl, { headers, item });
    item.url = answer.getResponseHeader("Location");
    item.offset = 0;
    remember(item);
  }

  // Where to go on; an upload that is no longer there begins anew.
  async function locate(item) {
    try {
      const answer = await request("HEAD", item.url, { item });
      item.offset = Number(answer.getResponseHeader("Upload-Offset"));
    } catch (error) {
      if (error.status !== 404 && error.status !== 410) throw error;
      forget(item);
      item.url = "";
      await create(item);
    }
  }

  async function sendPiece(item) {
    const start = item.offset;
    const headers = {
      "Upload-Offset": String(start),
      "Content-Type": "application/offset+octet-stream",
    };
    const onProgress = (loaded) => advance(item, start + loaded);
    const body = item.file.slice(start, start + PIECE);
    const answer = await request("PATCH", item.url, { headers, body, onProgress, item });
    item.offset = Number(answer.getResponseHeader("Upload-Offset"));
    item.retries = 0;
    advance(item, item.offset);
  }

  async function send(item) {
    set(item, "sending");
    const run = ++item.run;
    // A run that was paused and resumed meanwhile is not this one any more.
    const goesOn = () => item.state === "sending" && item.run === run;
    while (goesOn()) {
      try {
        await (item.url ? locate(item) : create(item));
        advance(item, item.offset, true);
        while (item.offset < item.file.size && goesOn()) await sendPiece(item);
        if (goesOn()) finish(item);
      } catch (error) {
        if (!goesOn()) break;
        if (!error.isTransient || ++item.retries > MOST_RETRIES) fail(item, error.message);
        else await pauseBefore(item, error);
      }
    }
    next();
  }

  async function pauseBefore(item, error) {
    const wait = Math.min(500 * 2 ** (item.retries - 1), RETRY_MAX_MS) * (0.75 + Math.random() / 2);
    note(item, `${error.message} Trying again in ${Math.ceil(wait / 1000)} s…`);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }

  function next() {
    const free = AT_ONCE - items.filter((item) => item.state === "sending").length;
    items
      .filter((item) => item.state === "waiting")
      .slice(0, free)
      .forEach(send);
    settle();
  }

  // ---- one file's row -------------------------------------------------------------
  function add(file) {
    const double = items.find(
      (item) => keyOf(item.file) === keyOf(file) && item.state !== "cancelled",
    );
    if (double) {
      if (double.state === "failed" || double.state === "paused") resume(double);
      return;
    }
    const row = template.content.firstElementChild.cloneNode(true);
    const known = remembered(file);
    const item = {
      file,
      row,
      url: known.url || "",
      offset: 0,
      retries: 0,
      state: "waiting",
      run: 0,
      rate: 0,
      seen: null,
    };
    row.querySelector("[data-name]").textContent = file.name;
    row.querySelector("[data-size]").textContent = bytes(file.size);
    row.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
    for (const action of ["pause", "resume", "cancel"]) {
      const button = row.querySelector(`[data-${action}]`);
      button.setAttribute("aria-label", `${button.textContent} ${file.name}`);
      button.addEventListener("click", () => ({ pause, resume, cancel })[action](item));
    }
    items.push(item);
    list.append(row);
    set(item, "waiting");
    note(item, known.url ? "Waiting to go on" : "Waiting");
    if (!file.size) fail(item, "The file is empty.");
    else if (file.size > limit)
      fail(item, `An upload may have at most ${bytes(limit)}. This one has ${bytes(file.size)}.`);
  }

  function set(item, state) {
    item.state = state;
    item.row.dataset.state = state;
    item.row.querySelector("[data-pause]").hidden = state !== "sending" && state !== "waiting";
    item.row.querySelector("[data-resume]").hidden = state !== "paused" && state !== "failed";
    if (state === "done") item.row.querySelector("[data-cancel]").textContent = "Remove";
    item.row.querySelector(".progress").dataset.state =
      { failed: "failed", done: "done" }[state] || "running";
  }

  function advance(item, sent, isResumed = false) {
    const now = performance.now();
    const bar = item.row.querySelector("progress");
    bar.max = item.file.size;
    bar.value = sent;
    if (isResumed || !item.seen) {
      item.seen = { at: now, sent };
    } else if (now - item.seen.at > 250) {
      const rate = Math.max(0, sent - item.seen.sent) / ((now - item.seen.at) / 1000);
      item.rate = item.rate ? item.rate * 0.8 + rate * 0.2 : rate;
      item.seen = { at: now, sent };
    }
    const share = Math.floor((sent / item.file.size) * 100);
    const left = item.rate
      ? ` · ${bytes(item.rate)}/s · ${duration((item.file.size - sent) / item.rate)} left`
      : "";
    note(item, `${share} %${left}`);
    const quarter = Math.floor(share / 25);
    if (quarter !== item.quarter && quarter > 0 && quarter < 4)
      say(`${item.file.name}: ${share} %`);
    item.quarter = quarter;
  }

  function finish(item) {
    set(item, "done");
    advance(item, item.file.size, true);
    note(item, "Complete");
    say(`${item.file.name} is complete.`);
    forget(item);
  }

  function fail(item, reason) {
    set(item, "failed");
    note(item, reason);
    say(`${item.file.name}: ${reason}`);
  }

  function pause(item) {
    set(item, "paused");
    item.xhr?.abort();
    note(item, "Paused");
    next();
  }

  function resume(item) {
    item.retries = 0;
    set(item, "waiting");
    note(item, "Waiting to go on");
    next();
  }

  function cancel(item) {
    set(item, "cancelled");
    item.xhr?.abort();
    if (item.url) request("DELETE", item.url).catch(() => {});
    forget(item);
    item.row.remove();
    say(`${item.file.name} was taken out.`);
    input.focus();
    next();
  }

  // ---- the whole -------------------------------------------------------------------
  function settle() {
    const open = items.some(
      (item) => item.state === "sending" || item.state === "waiting" || item.state === "paused",
    );
    const done = items.filter((item) => item.state === "done").length;
    const failed = items.some((item) => item.state === "failed");
    review.hidden = !done;
    review.href = form.dataset.reviewUrl.replace("DELIVERY", delivery);
    if (done && !open && !failed) location.assign(review.href);
  }

  function choose(files) {
    if (!files.length) return;
    const known = [...files].map(remembered).find((one) => one.delivery);
    delivery ||=
      known?.delivery ||
      crypto
        .getRandomValues(new Uint32Array(4))
        .reduce((id, n) => id + n.toString(16).padStart(8, "0"), "");
    list.hidden = false;
    [...files].forEach(add);
    say(`${files.length} ${files.length === 1 ? "file" : "files"} chosen.`);
    next();
  }

  const note = (item, text) => {
    item.row.querySelector("[data-note]").textContent = text;
  };
  const say = (text) => {
    spoken.textContent = text;
  };

  function bytes(count) {
    const units = ["B", "KiB", "MiB", "GiB"];
    let at = 0;
    while (count >= 1024 && at < units.length - 1) {
      count /= 1024;
      at += 1;
    }
    return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
  }

  function duration(seconds) {
    if (seconds < 60) return `${Math.ceil(seconds)} s`;
    return seconds < 3600
      ? `${Math.ceil(seconds / 60)} min`
      : `${Math.floor(seconds / 3600)} h ${Math.ceil((seconds % 3600) / 60)} min`;
  }

  input.addEventListener("change", () => {
    choose(input.files);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-without-script]").hidden = true;
  input.required = false;
  zone.classList.add("is-live");
  zone.querySelector("[data-choose]").hidden = false;
  // Dropped beside the zone, a file would replace the page.
  for (const type of ["dragover", "drop"])
    document.addEventListener(type, (event) => event.preventDefault());
  const over = (is) => zone.classList.toggle("is-over", is);
  zone.addEventListener("dragenter", () => over(true));
  zone.addEventListener("dragover", () => over(true));
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) over(false);
  });
  document.addEventListener("drop", (event) => {
    over(false);
    choose(event.dataTransfer?.files || []);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-choose-again]")) input.click();
  });
  window.addEventListener("online", () =>
    items.filter((item) => item.state === "failed" && item.url).forEach(resume),
  );
  window.addEventListener("beforeunload", (event) => {
    if (items.some((item) => item.state === "sending" || item.state === "waiting"))
      event.preventDefault();
  });
})();
