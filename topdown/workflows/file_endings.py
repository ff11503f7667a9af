"""Which files a mapped molecule has."""

#: Endings of the files of one molecule, of those written for each molecule of a list, and of those that need coordinates.
ALL_FILES = ("cgsmiles", "gro", "html", "itp", "json", "map", "ndx", "png", "svg")
LIST_FILES = ("cgsmiles", "gro", "itp", "json", "map", "ndx", "svg")
NEED_COORDINATES = ("gro", "html")
