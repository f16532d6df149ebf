"""What stands wherever a result is shown."""

NOTICE = "Decision support, not a medical device. A physician decides."
# In the report, where there is room.
REPORT_NOTICE = (
    "Decision support, not a medical device: a second reader for paediatric chest radiographs "
    "that has not been validated for clinical use. A physician decides."
)
