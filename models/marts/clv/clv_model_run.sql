-- One row per run and submodel, of the runs up to as_of. Of two runs of a day the one that answered last counts, be it the older one again.
with

as_of as (
    select as_of from {{ ref('int_core__as_of') }}
),

fits as (
    select
        fits.*,
        cast(fits.as_of_date as string) || ' ' || coalesce(cast(fits.answered_at as string), '') || ' ' || fits.model_run_id as age_text
    from {{ source('clv', 'model_run') }} as fits
    inner join as_of on fits.as_of_date <= as_of.as_of
),

-- A fit that failed may have left no predictions: then the run before still speaks.
latest as (
    select max_by(fits.model_run_id, fits.age_text) as model_run_id
    from fits
    where fits.model_run_id in (select predictions.model_run_id from {{ source('clv', 'prediction') }} as predictions)
),

final as (
    select
        cast(fits.model_run_id as string) as model_run_id,
        cast(fits.submodel as string) as submodel,
        cast(fits.as_of_date as date) as as_of,
        cast(fits.engine as string) as engine,
        cast(fits.scope as string) as scope,
        cast(fits.last_order_at as timestamp) as last_order_at,
        cast(fits.statistics_row_count as bigint) as statistics_row_count,
        cast(fits.statistics_hash as string) as statistics_hash,
        cast(fits.code_commit as string) as code_commit,
        cast(fits.versions as string) as versions,
        cast(fits.config as string) as config,
        cast(fits.log_likelihood as double) as log_likelihood,
        cast(round(fits.customer_count) as bigint) as customer_count,
        cast(fits.is_converged as boolean) as is_converged,
        cast(fits.status as string) as status,
        coalesce(fits.is_champion, false) as is_champion,
        cast(fits.fitted_at as timestamp) as fitted_at,
        cast(fits.answered_at as timestamp) as answered_at,
        coalesce(fits.model_run_id = latest.model_run_id, false) as is_current
    from fits
    cross join latest
)

select * from final
