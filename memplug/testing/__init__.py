"""What plugin authors test with: one contract class per plugin kind."""
