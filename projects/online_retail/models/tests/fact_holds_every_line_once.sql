-- Lines of silver that the fact misses, and lines it has too many of.
with lines as (

    select count(*) as lines, coalesce(sum(line_value), 0) as line_value from {{ ref('stg_order_lines') }}

),

sales as (

    select count(*) as lines, coalesce(sum(line_value), 0) as line_value from {{ ref('fact_sales') }}

)

select
    lines.lines as silver_lines,
    sales.lines as fact_lines,
    lines.line_value as silver_value,
    sales.line_value as fact_value
from lines
cross join sales
where lines.lines <> sales.lines or lines.line_value <> sales.line_value
