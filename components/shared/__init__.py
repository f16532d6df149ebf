"""What every room stands on: names, errors, versions, files. It knows none of them."""
