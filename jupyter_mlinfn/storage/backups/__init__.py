"""Backups of an area: dated read-only copies, made on the hub's side and read by everybody.

::

    FOLDER/20261120T140000Z/about.json   how much it is, and what could not be copied
    FOLDER/20261120T140000Z/files/…      the area as it was
    FOLDER/.making-20261120T140000Z/…    a copy that is not whole; nobody sees it
    FOLDER/.removing-…/…                 an old one on its way out
"""
