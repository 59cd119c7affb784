"""The `toolkit` command: one file per subcommand."""
