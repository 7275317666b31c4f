"""The Celery worker that turns an archive into a score report."""
