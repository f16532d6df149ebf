"""Ages of patients."""

# In years: from here on nobody is a child.
ADULT = 18
_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0, "": 1.0}


def years(number: float, unit: str) -> float:
    """Returns an age in years.

    Args:
        number: of the unit.
        unit: D, W, M or Y, as DICOM has it (PS3.5, AS); empty where archives write years alone.
    """
    return number / _A_YEAR[unit]
