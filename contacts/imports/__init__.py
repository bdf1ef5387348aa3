"""Contacts from CSV files: read, mapped, checked, loaded in bulk, undone."""
