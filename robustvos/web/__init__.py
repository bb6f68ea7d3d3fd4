"""Pages served locally, in which a person clicks and judges: annotate and review.

``serve.py`` runs a page, ``guard.py`` says who may come in, ``frames.py`` gives pictures, ``shared.css`` the looks. NiceGUI and
FastAPI come with the extra ``web`` and are imported only when a page is served.
"""
