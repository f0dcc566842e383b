"""What makes the documentation site."""
