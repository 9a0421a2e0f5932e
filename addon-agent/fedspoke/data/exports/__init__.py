"""Facebook and Instagram exports: what a person posted, as the platform hands it back.

facebook.py and instagram.py are pure parsers, folder.py is where files are touched, export.py joins them.
"""
