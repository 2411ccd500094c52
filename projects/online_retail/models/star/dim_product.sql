with lines as (

    select * from {{ ref('stg_order_lines') }}

),

spellings as (

    select
        product_key,
        is_product,
        description,
        count(*) as times
    from lines
    group by product_key, is_product, description

),

products as (

    select
        product_key,
        bool_or(is_product) as is_product,
        arg_min(description, row(-times, description)) filter (where description is not null) as description,
        count(description) as descriptions,
        cast(sum(times) as bigint) as lines
    from spellings
    group by product_key

)

select
    product_key,
    product_key as stock_code,
    description,
    is_product,
    descriptions,
    lines
from products
order by product_key
