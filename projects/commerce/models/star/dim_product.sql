{{ penstock_by_key(['store_id', 'product_id'], affected='changed_products') }}

with delivered as (

    select
        store_id,
        product_id,
        updated_at as applied_at,
        name,
        category,
        subcategory,
        brand,
        status,
        is_deleted
    from {{ penstock_affected(ref('stg_products')) }}

),

plain as (

    select
        '{{ var("plain_store") }}' as store_id,
        product_id,
        coalesce(created_at, timestamptz '1970-01-01 00:00:00+00') as applied_at,
        name,
        category,
        cast(null as varchar) as subcategory,
        cast(null as varchar) as brand,
        'active' as status,
        false as is_deleted
    from {{ ref('stg_plain_products') }}
    where product_id not in (select product_id from delivered where store_id = '{{ var("plain_store") }}')

),

versions as (

    select store_id, product_id, applied_at, name, category, subcategory, brand, status, is_deleted from delivered
    union all
    select store_id, product_id, applied_at, name, category, subcategory, brand, status, is_deleted
    from {{ penstock_affected('plain') }}

),

compared as (

    select
        *,
        row(name, category, subcategory, brand, status, is_deleted) as says,
        lag(row(name, category, subcategory, brand, status, is_deleted)) over history as said,
        row_number() over history = 1 as is_first
    from versions
    window history as (partition by store_id, product_id order by applied_at)

),

changes as (

    select
        *,
        row_number() over history as version,
        lead(applied_at) over history as valid_to
    from compared
    where is_first or says is distinct from said
    window history as (partition by store_id, product_id order by applied_at)

),

others as (

    select unnest(['none', 'unknown']) as product_key

)

select
    {{ penstock_key('product', ['product_id', 'applied_at'], tenant='store_id') }} as product_key,
    store_id,
    product_id,
    cast(version as integer) as version,
    applied_at as valid_from,
    valid_to,
    valid_to is null as is_current,
    false as is_unknown,
    name,
    coalesce(category, 'unknown') as category,
    subcategory,
    brand,
    status,
    is_deleted
from changes
union all
select
    product_key,
    null as store_id,
    null as product_id,
    1 as version,
    null as valid_from,
    null as valid_to,
    true as is_current,
    product_key = 'unknown' as is_unknown,
    null as name,
    product_key as category,
    null as subcategory,
    null as brand,
    null as status,
    false as is_deleted
from others
