"""What compares us with others can also say that we are worse."""
