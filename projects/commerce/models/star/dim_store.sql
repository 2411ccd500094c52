select
    store_id,
    name,
    timezone,
    declared_timezone,
    is_known_zone,
    base_currency,
    prices_include_tax
from {{ ref('int_stores') }}
