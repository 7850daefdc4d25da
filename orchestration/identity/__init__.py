"""What people ask of the identity layer."""
