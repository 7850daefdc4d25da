"""What each stage is worth, what moved customers up, and what stands beside their leaving."""
