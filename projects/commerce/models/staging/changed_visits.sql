{{ config(schema='staging') }}

select store_id, session_id from {{ penstock_changes(source('silver', 'sessions')) }}
union
select store_id, session_id
from {{ penstock_changes(source('silver', 'touches')) }}
where customer_id is null and channel <> 'direct'
