"""HTML and HTTP habits shared by every page: rendering, forms, languages, errors, headers, paging."""
