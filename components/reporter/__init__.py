"""One page that tells what a run found: for the clinician first, for the engineer below."""
