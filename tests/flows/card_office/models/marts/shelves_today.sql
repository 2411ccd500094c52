select
    branch,
    title,
    shelf,
    moved_at
from {{ penstock_latest(source('silver', 'shelves'), key=['branch', 'title'], version='moved_at') }}
