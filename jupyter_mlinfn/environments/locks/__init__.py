"""Lock files and wishes: what is asked for, and what exactly that comes to."""
