"""What readers get: the published file, the report and the status screen."""
