{{ config(schema='staging') }}

select distinct store_id, variant_id, location
from {{ penstock_changes(source('silver', 'inventory_movements')) }}
where not _came
