"""Spreadsheets that strangers send: what a file is by its bytes, how big it may be, its cells row by row. Knows no feature."""
