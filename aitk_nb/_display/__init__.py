"""What people are shown: safe HTML, tables, bars, error cards, and whether anybody looks."""
