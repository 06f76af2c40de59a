"""The program that solves, installs and packs; never imported by server or command line."""
