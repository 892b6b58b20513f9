"""Files are read and cut in a process of their own, which is ended where one costs more than it may."""
