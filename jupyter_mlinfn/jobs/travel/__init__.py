"""A job's folder that travels to a place that sees none of our folders, and its attempts back.

The folder at home stays the truth. What goes is a *parcel* (:mod:`.parcel`), what runs there is
:mod:`jupyter_mlinfn.jobs.batch` as ever, news come while it runs (:mod:`.news`), the whole when it
has ended (:mod:`.giving` there, :mod:`.home` here).
"""
