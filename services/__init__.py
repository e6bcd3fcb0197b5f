"""The processes of SERA: gateway, workers, trainers and the scheduler of regular tasks."""
