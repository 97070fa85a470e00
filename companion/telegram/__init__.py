"""The only way to Telegram's Bot API: a client, the meaning of its answers, and its limits. No tables, no Django."""
