"""The site: jobs, queue, store, events, three APIs and the pages."""
