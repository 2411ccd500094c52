{{ config(schema='staging') }}

select
    store_id,
    id_value as customer_id,
    person_id
from {{ ref('stg_identity_edges') }}
where id_type = 'customer' and valid_to is null
qualify row_number() over (partition by store_id, id_value order by valid_from desc) = 1
