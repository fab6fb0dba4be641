// One websocket per page. An event makes the live parts that listen for it re-fetch themselves by htmx.
// The server replays from ?after=N, so a reconnect loses nothing; the page is complete without the socket.
(() => {
  "use strict";
  const DEBOUNCE_MS = 150;
  const RETRY_MIN_MS = 500;
  const RETRY_MAX_MS = 30000;
  const body = document.body;
  const path = body.dataset.liveUrl;
  if (!path) return;

  let after = Number(body.dataset.liveAfter) || 0;
  let socket = null;
  let retryMs = RETRY_MIN_MS;
  let retryTimer = 0;
  const pending = new Map(); // element → timer

  function show(state) {
    body.dataset.live = state;
    const dot = document.getElementById("live-dot");
    if (!dot) return;
    const word = state === "open" ? "Live" : "Reconnecting";
    dot.title =
      state === "open" ? "Live: this page updates by itself" : "Connection lost, trying again";
    const text = dot.querySelector(".live-word");
    if (text && text.textContent !== word) text.textContent = word;
  }

  function address() {
    const url = new URL(path, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("after", String(after));
    return url;
  }

  function connect() {
    clearTimeout(retryTimer);
    socket = new WebSocket(address());
    socket.onopen = () => {
      retryMs = RETRY_MIN_MS;
      show("open");
    };
    socket.onmessage = (message) => receive(message.data);
    socket.onclose = () => {
      show("closed");
      retryTimer = setTimeout(connect, retryMs * (0.75 + Math.random() / 2));
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    };
  }

  function receive(text) {
    let event;
    try {
      event = JSON.parse(text);
    } catch {
      return;
    }
    if (typeof event.type !== "string") return;
    if (Number.isInteger(event.seq)) {
      if (event.seq <= after) return; // replayed and already seen
      after = event.seq;
    }
    for (const element of document.querySelectorAll("[data-live-on]")) {
      if (listens(element, event)) refresh(element);
    }
    document.dispatchEvent(new CustomEvent("hub:event", { detail: event }));
  }

  function listens(element, event) {
    const typed = words(element.dataset.liveOn).some((pattern) =>
      pattern.endsWith("*") ? event.type.startsWith(pattern.slice(0, -1)) : pattern === event.type,
    );
    return (
      typed &&
      words(element.dataset.liveMatch).every((pair) => {
        const colon = pair.indexOf(":");
        return String(event.data?.[pair.slice(0, colon)]) === pair.slice(colon + 1);
      })
    );
  }

  function words(text) {
    return (text || "").split(/\s+/).filter(Boolean);
  }

  // At most one refresh per DEBOUNCE_MS, even under a steady stream of events: the first one sets the timer.
  function refresh(element) {
    if (!pending.has(element)) pending.set(element, setTimeout(fire, DEBOUNCE_MS, element));
  }

  // An answer under way may be older than this event, so wait for its swap, which replaces the element, and ask again.
  function fire(element) {
    pending.delete(element);
    const current = document.contains(element)
      ? element
      : element.id && document.getElementById(element.id);
    if (!current || !window.htmx) return;
    if (current.classList.contains("htmx-request")) refresh(current);
    else window.htmx.trigger(current, "live");
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !socket || socket.readyState <= WebSocket.OPEN) return;
    retryMs = RETRY_MIN_MS;
    connect();
  });
  // A page out of the back/forward cache has a dead socket and old fragments.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("[data-live-on]").forEach(refresh);
    if (socket.readyState > WebSocket.OPEN) connect();
  });
  connect();
})();
