"""The one door to Telegram's Bot API: what its answers mean, its limits, and a client. Knows no table and no Django."""
