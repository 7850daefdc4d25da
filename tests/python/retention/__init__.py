"""Alerts and replenishment against an independent evaluation of every single day."""
