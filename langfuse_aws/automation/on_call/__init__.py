"""What whoever is on call for a running stack needs: `status`, `logs`, `shell`."""
