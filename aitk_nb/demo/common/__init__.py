"""What both embedded servers share."""
