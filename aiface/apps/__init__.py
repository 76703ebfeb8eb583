"""What people start; nothing imports from here."""
