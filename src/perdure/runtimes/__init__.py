"""The isolated data planes of principals: opened, kept and closed."""
