"""HDF5 files: written in memory and sealed by a checksum, and read without trust in what they hold.

The HDF5 library crashes, loops or reads other files where a file tells it to. Files of this project
carry a checksum that is verified before the library sees them; all others are read by a child
process. Neither may link to other files.
"""
