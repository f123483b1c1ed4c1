"""The HTML report of a data set: what is in it and what is wrong with it."""
