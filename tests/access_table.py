"""Route → the right it asks for. `OPEN` needs nobody, `SIGNED_IN` any person, `BY_KEY` an API key."""

from __future__ import annotations

from apps.accounts.access import Right

OPEN = [
    "healthz",
    "readyz",
    "schema",
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_reauthenticate",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "account_confirm_login_code",
    "account_request_login_code",
]
SIGNED_IN = ["account_email", "account_change_password", "account_set_password", "insights:index"]
BY_KEY: list[str] = []

TABLE: dict[str, Right] = {
    "rollouts:list": Right.VIEW,
    "rollouts:detail": Right.VIEW,
    "rollouts:request": Right.BUILD,
    "rollouts:withdraw": Right.BUILD,
    "rollouts:approve": Right.APPROVE,
    "rollouts:reject": Right.APPROVE,
    "rollouts:roll_back": Right.APPROVE,
    "gateway:overview": Right.VIEW,
}
