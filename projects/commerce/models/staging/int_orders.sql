{{ config(schema='staging') }}
{{ penstock_by_key(['store_id', 'order_id'], affected='changed_headers') }}

{%- set said -%}
    store_id, order_id, updated_at, customer_id, placed_at, status, channel, currency, is_test, ship_country,
    ship_region
{%- endset %}

-- Orders of which a version went are looked for again; of the others it is known which held.
with gone as (

    select distinct store_id, order_id from {{ penstock_changes(source('silver', 'orders')) }} where not _came

),

versions as (

    {% if is_incremental() -%}
    select known.*
    from (
        select {{ said }} from {{ penstock_changes(source('silver', 'orders')) }} where _came
        union all
        select {{ said }} from {{ penstock_stood() }} where updated_at is not null
    ) as known
    anti join gone on known.store_id = gone.store_id and known.order_id = gone.order_id
    union all
    select {{ said }}
    from {{ ref('stg_orders') }} as versions
    semi join gone on versions.store_id = gone.store_id and versions.order_id = gone.order_id
    {%- else -%}
    select {{ said }} from {{ ref('stg_orders') }}
    {%- endif %}

),

delivered as (

    select {{ said }}
    from versions
    qualify row_number() over (partition by store_id, order_id order by updated_at desc) = 1

),

stores as (

    select store_id, timezone, base_currency from {{ ref('int_stores') }}

),

plain as (

    select
        stores.store_id,
        sales.transaction_id as order_id,
        cast(null as timestamptz) as updated_at,
        sales.customer_id,
        sales.occurred_at as placed_at,
        'placed' as status,
        'unknown' as channel,
        stores.base_currency as currency,
        false as is_test,
        cast(null as varchar) as ship_country,
        sales.region as ship_region
    from {{ ref('stg_plain_transactions') }} as sales
    inner join stores on stores.store_id = '{{ var("plain_store") }}'

),

placed as (

    select {{ said }} from delivered
    union all
    select {{ said }} from {{ penstock_affected('plain') }}

),

located as (

    select
        placed.*,
        coalesce(stores.timezone, 'UTC') as timezone,
        stores.base_currency,
        {{ local_day("coalesce(stores.timezone, 'UTC')", 'placed.placed_at') }} as placed_date
    from placed
    left join stores on placed.store_id = stores.store_id

),

customers as (

    select
        store_id,
        customer_id,
        customer_key,
        person_id,
        {{ version_holds_from() }} as holds_from,
        {{ version_holds_to() }} as holds_to
    from {{ ref('dim_customer') }}
    where customer_id is not null

),

persons as (

    select store_id, customer_id, person_id from {{ ref('int_persons') }}

)

select
    located.store_id,
    located.order_id,
    located.updated_at,
    located.placed_at,
    located.placed_date,
    located.timezone,
    located.status,
    located.channel,
    located.is_test,
    located.ship_country,
    located.ship_region,
    located.customer_id,
    case
        when located.customer_id is null then 'guest'
        else coalesce(customers.customer_key, 'unknown')
    end as customer_key,
    case
        when located.customer_id is not null
            then coalesce(customers.person_id, persons.person_id, located.customer_id)
    end as person_id,
    located.currency,
    located.base_currency,
    case when located.currency = located.base_currency then 1 else rates.rate end as fx_rate
from located
left join customers
    on located.store_id = customers.store_id
    and located.customer_id = customers.customer_id
    and located.placed_at >= customers.holds_from
    and located.placed_at < customers.holds_to
left join persons
    on located.store_id = persons.store_id
    and located.customer_id = persons.customer_id
left join {{ ref('stg_fx_rates') }} as rates
    on located.placed_date = rates.rate_date
    and located.currency = rates.from_currency
    and located.base_currency = rates.to_currency
