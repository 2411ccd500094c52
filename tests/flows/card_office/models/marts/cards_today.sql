select
    member_id,
    card,
    listed_on
from {{ penstock_latest(
    source('silver', 'cards'),
    key=['member_id'],
    version='listed_on',
    snapshots=source('silver', 'cards_snapshots'),
) }}
