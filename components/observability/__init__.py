"""Alarms and where they go, the dashboard, the budget."""
