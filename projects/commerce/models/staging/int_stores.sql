{{ config(schema='staging') }}

with declared as (

    select
        store_id,
        name,
        timezone as declared_timezone,
        base_currency,
        prices_include_tax
    from {{ ref('stg_stores') }}

),

plain as (

    select
        '{{ var("plain_store") }}' as store_id,
        'Plain files' as name,
        '{{ var("plain_timezone") }}' as declared_timezone,
        '{{ var("plain_currency") }}' as base_currency,
        false as prices_include_tax
    where
        '{{ var("plain_store") }}' not in (select store_id from declared)
        and (
            exists (select 1 from {{ ref('stg_plain_transactions') }})
            or exists (select 1 from {{ ref('stg_customers') }} where store_id = '{{ var("plain_store") }}')
            or exists (select 1 from {{ ref('stg_payment_events') }})
        )

),

stores as (

    select store_id, name, declared_timezone, base_currency, prices_include_tax from declared
    union all
    select store_id, name, declared_timezone, base_currency, prices_include_tax from plain

),

zones as (

    select distinct name as timezone from pg_timezone_names()

)

select
    stores.store_id,
    stores.name,
    stores.declared_timezone,
    coalesce(zones.timezone, 'UTC') as timezone,
    zones.timezone is not null as is_known_zone,
    stores.base_currency,
    stores.prices_include_tax
from stores
left join zones on stores.declared_timezone = zones.timezone
