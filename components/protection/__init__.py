"""What keeps data: backups, snapshots, and guards against replacements and older releases."""
