"""Tables of a paper as files: what is trained and tested, what of it is done, and the table at the end."""
