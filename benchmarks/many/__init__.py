"""What a report of many networks takes."""
