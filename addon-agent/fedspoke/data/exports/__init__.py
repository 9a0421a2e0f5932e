"""Facebook and Instagram exports: what a person posted, as the platform hands it back.

search.py finds an export, folder.py and zips.py are where files are touched, stream.py reads JSON entry by entry, facebook.py and
instagram.py are pure parsers of one entry, export.py joins them.
"""
